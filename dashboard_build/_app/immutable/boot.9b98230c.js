{
__sveltekit_1wxr0kc = {
base: "/_",
assets: "/_"
};

const element = document.currentScript.parentElement;

Promise.all([
import("/_/_app/immutable/entry/start.B3as5dg-.js"),
import("/_/_app/immutable/entry/app.DDd7nGf2.js")
]).then(([kit, app]) => {
kit.start(app, element);
});
}
