{
__sveltekit_18i4tdg = {
base: "/_",
assets: "/_"
};

const element = document.currentScript.parentElement;

Promise.all([
import("/_/_app/immutable/entry/start.t7Gj30tw.js"),
import("/_/_app/immutable/entry/app.DjCKChs0.js")
]).then(([kit, app]) => {
kit.start(app, element);
});
}
