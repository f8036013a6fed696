{
__sveltekit_1fveuj9 = {
base: "/_",
assets: "/_"
};

const element = document.currentScript.parentElement;

Promise.all([
import("/_/_app/immutable/entry/start.vMHasVDC.js"),
import("/_/_app/immutable/entry/app.BzTK_M2c.js")
]).then(([kit, app]) => {
kit.start(app, element);
});
}
