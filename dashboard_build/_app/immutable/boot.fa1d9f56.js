{
__sveltekit_inc0op = {
base: "/_",
assets: "/_"
};

const element = document.currentScript.parentElement;

Promise.all([
import("/_/_app/immutable/entry/start.Cj6xW4C0.js"),
import("/_/_app/immutable/entry/app.Bju-jERs.js")
]).then(([kit, app]) => {
kit.start(app, element);
});
}
