{
__sveltekit_b5kvsa = {
base: "/_",
assets: "/_"
};

const element = document.currentScript.parentElement;

Promise.all([
import("/_/_app/immutable/entry/start.CkPIzLio.js"),
import("/_/_app/immutable/entry/app.O3PilCsg.js")
]).then(([kit, app]) => {
kit.start(app, element);
});
}
