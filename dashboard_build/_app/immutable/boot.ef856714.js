{
__sveltekit_1c23oa7 = {
base: "/_",
assets: "/_"
};

const element = document.currentScript.parentElement;

Promise.all([
import("/_/_app/immutable/entry/start.Brub4GHZ.js"),
import("/_/_app/immutable/entry/app.CUCnGawD.js")
]).then(([kit, app]) => {
kit.start(app, element);
});
}
