{
__sveltekit_jdlg5v = {
base: "/_",
assets: "/_"
};

const element = document.currentScript.parentElement;

Promise.all([
import("/_/_app/immutable/entry/start.B4FRfL_G.js"),
import("/_/_app/immutable/entry/app.DE-LN3zP.js")
]).then(([kit, app]) => {
kit.start(app, element);
});
}
