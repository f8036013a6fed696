{
__sveltekit_gvw3r3 = {
base: "/_",
assets: "/_"
};

const element = document.currentScript.parentElement;

Promise.all([
import("/_/_app/immutable/entry/start.f9l3TjmN.js"),
import("/_/_app/immutable/entry/app.BlnNgYDX.js")
]).then(([kit, app]) => {
kit.start(app, element);
});
}
