{
__sveltekit_seqpsu = {
base: "/_",
assets: "/_"
};

const element = document.currentScript.parentElement;

Promise.all([
import("/_/_app/immutable/entry/start.3e-gygyu.js"),
import("/_/_app/immutable/entry/app.Dr_UbtFw.js")
]).then(([kit, app]) => {
kit.start(app, element);
});
}
