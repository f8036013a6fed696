{
__sveltekit_kw6upi = {
base: "/_",
assets: "/_"
};

const element = document.currentScript.parentElement;

Promise.all([
import("/_/_app/immutable/entry/start.Dr6TVOpC.js"),
import("/_/_app/immutable/entry/app.DZd9AOop.js")
]).then(([kit, app]) => {
kit.start(app, element);
});
}
