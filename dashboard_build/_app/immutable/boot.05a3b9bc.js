{
__sveltekit_9drfy2 = {
base: "/_",
assets: "/_"
};

const element = document.currentScript.parentElement;

Promise.all([
import("/_/_app/immutable/entry/start.CRBzPQZi.js"),
import("/_/_app/immutable/entry/app.DPqKnzBE.js")
]).then(([kit, app]) => {
kit.start(app, element);
});
}
