import{s as r}from"../chunks/Do0UQgdS.js";import{A as t}from"../chunks/scmqY6s5.js";export{t as load_css,r as start};
