{
__sveltekit_wn8wkr = {
base: "/_",
assets: "/_"
};

const element = document.currentScript.parentElement;

Promise.all([
import("/_/_app/immutable/entry/start.DjZHnUqY.js"),
import("/_/_app/immutable/entry/app.BbLa0yF5.js")
]).then(([kit, app]) => {
kit.start(app, element);
});
}
