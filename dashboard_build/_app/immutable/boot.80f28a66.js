{
__sveltekit_14u8v58 = {
base: "/_",
assets: "/_"
};

const element = document.currentScript.parentElement;

Promise.all([
import("/_/_app/immutable/entry/start.lzUalq3j.js"),
import("/_/_app/immutable/entry/app.DEJaP38i.js")
]).then(([kit, app]) => {
kit.start(app, element);
});
}
