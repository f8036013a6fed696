{
__sveltekit_13myark = {
base: "/_",
assets: "/_"
};

const element = document.currentScript.parentElement;

Promise.all([
import("/_/_app/immutable/entry/start.BclYvzIn.js"),
import("/_/_app/immutable/entry/app.CyJoF00_.js")
]).then(([kit, app]) => {
kit.start(app, element);
});
}
