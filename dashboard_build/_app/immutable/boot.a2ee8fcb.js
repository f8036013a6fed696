{
__sveltekit_wb2br9 = {
base: "/_",
assets: "/_"
};

const element = document.currentScript.parentElement;

Promise.all([
import("/_/_app/immutable/entry/start.4o1Wu0Sl.js"),
import("/_/_app/immutable/entry/app.DwCudNlJ.js")
]).then(([kit, app]) => {
kit.start(app, element);
});
}
