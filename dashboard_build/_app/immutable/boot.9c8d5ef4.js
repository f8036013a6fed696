{
__sveltekit_1soeeij = {
base: "/_",
assets: "/_"
};

const element = document.currentScript.parentElement;

Promise.all([
import("/_/_app/immutable/entry/start.D-ldm5ys.js"),
import("/_/_app/immutable/entry/app.DkfnA0jV.js")
]).then(([kit, app]) => {
kit.start(app, element);
});
}
