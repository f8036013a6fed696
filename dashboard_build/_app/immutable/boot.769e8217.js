{
__sveltekit_ove1hl = {
base: "/_",
assets: "/_"
};

const element = document.currentScript.parentElement;

Promise.all([
import("/_/_app/immutable/entry/start.Cn5pwcUg.js"),
import("/_/_app/immutable/entry/app.Co7fYTYn.js")
]).then(([kit, app]) => {
kit.start(app, element);
});
}
