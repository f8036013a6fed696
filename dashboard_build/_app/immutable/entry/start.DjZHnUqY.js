import{s as r}from"../chunks/Dg1yfeMU.js";import{A as t}from"../chunks/wuLLqW11.js";export{t as load_css,r as start};
