{
__sveltekit_11bqhim = {
base: "/_",
assets: "/_"
};

const element = document.currentScript.parentElement;

Promise.all([
import("/_/_app/immutable/entry/start.DLEUETjh.js"),
import("/_/_app/immutable/entry/app.DxR3XH5t.js")
]).then(([kit, app]) => {
kit.start(app, element);
});
}
