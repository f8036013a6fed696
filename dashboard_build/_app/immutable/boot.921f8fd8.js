{
__sveltekit_7n8uy9 = {
base: "/_",
assets: "/_"
};

const element = document.currentScript.parentElement;

Promise.all([
import("/_/_app/immutable/entry/start.DHoMIRfh.js"),
import("/_/_app/immutable/entry/app.B5aTUgaj.js")
]).then(([kit, app]) => {
kit.start(app, element);
});
}
