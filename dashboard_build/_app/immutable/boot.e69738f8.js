{
__sveltekit_mb6mev = {
base: "/_",
assets: "/_"
};

const element = document.currentScript.parentElement;

Promise.all([
import("/_/_app/immutable/entry/start.BslRn_s5.js"),
import("/_/_app/immutable/entry/app.DgFLs-aZ.js")
]).then(([kit, app]) => {
kit.start(app, element);
});
}
