import{s as r}from"../chunks/v26PGecS.js";import{A as t}from"../chunks/DpG72FLJ.js";export{t as load_css,r as start};
