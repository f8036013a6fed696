{
__sveltekit_1qrpps4 = {
base: "/_",
assets: "/_"
};

const element = document.currentScript.parentElement;

Promise.all([
import("/_/_app/immutable/entry/start.DpVXsWYK.js"),
import("/_/_app/immutable/entry/app.CMYqDYNN.js")
]).then(([kit, app]) => {
kit.start(app, element);
});
}
