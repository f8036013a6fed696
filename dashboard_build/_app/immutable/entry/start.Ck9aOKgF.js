import{s as r}from"../chunks/DawaKuoZ.js";import{A as t}from"../chunks/Ct2-hrq7.js";export{t as load_css,r as start};
