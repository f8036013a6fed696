{
__sveltekit_l5ciut = {
base: "/_",
assets: "/_"
};

const element = document.currentScript.parentElement;

Promise.all([
import("/_/_app/immutable/entry/start.Bn5NxPt8.js"),
import("/_/_app/immutable/entry/app.CLGJeFZe.js")
]).then(([kit, app]) => {
kit.start(app, element);
});
}
