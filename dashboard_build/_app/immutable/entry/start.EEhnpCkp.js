import{s as r}from"../chunks/Cxfv2XHU.js";import{A as t}from"../chunks/Bif-Br4x.js";export{t as load_css,r as start};
