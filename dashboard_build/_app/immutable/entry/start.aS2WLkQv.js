import{s as r}from"../chunks/C3P0C7jg.js";import{A as t}from"../chunks/XYagL_jI.js";export{t as load_css,r as start};
