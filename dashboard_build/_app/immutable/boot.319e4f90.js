{
__sveltekit_b4mydb = {
base: "/_",
assets: "/_"
};

const element = document.currentScript.parentElement;

Promise.all([
import("/_/_app/immutable/entry/start.wr0dCKWG.js"),
import("/_/_app/immutable/entry/app.DnWHB9sr.js")
]).then(([kit, app]) => {
kit.start(app, element);
});
}
