import{s as r}from"../chunks/Bxwrb4Vv.js";import{A as t}from"../chunks/DOewjgaX.js";export{t as load_css,r as start};
