{
__sveltekit_1fzvc2t = {
base: "/_",
assets: "/_"
};

const element = document.currentScript.parentElement;

Promise.all([
import("/_/_app/immutable/entry/start.aS2WLkQv.js"),
import("/_/_app/immutable/entry/app.B-jAFzwL.js")
]).then(([kit, app]) => {
kit.start(app, element);
});
}
