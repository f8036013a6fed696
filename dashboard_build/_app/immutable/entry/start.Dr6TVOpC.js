import{s as r}from"../chunks/DEWc-6uM.js";import{A as t}from"../chunks/CIUSfYZ_.js";export{t as load_css,r as start};
