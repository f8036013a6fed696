{
__sveltekit_150z444 = {
base: "/_",
assets: "/_"
};

const element = document.currentScript.parentElement;

Promise.all([
import("/_/_app/immutable/entry/start.Ck9aOKgF.js"),
import("/_/_app/immutable/entry/app.Cv9-G5ms.js")
]).then(([kit, app]) => {
kit.start(app, element);
});
}
