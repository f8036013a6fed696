{
__sveltekit_w7shlq = {
base: "/_",
assets: "/_"
};

const element = document.currentScript.parentElement;

Promise.all([
import("/_/_app/immutable/entry/start.EEhnpCkp.js"),
import("/_/_app/immutable/entry/app.CeAfSI6h.js")
]).then(([kit, app]) => {
kit.start(app, element);
});
}
