import{s as r}from"../chunks/DZ9NyUiR.js";import{A as t}from"../chunks/Cc_jdic4.js";export{t as load_css,r as start};
