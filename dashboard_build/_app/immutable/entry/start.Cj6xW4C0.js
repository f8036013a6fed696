import{s as r}from"../chunks/O7PXpZe4.js";import{A as t}from"../chunks/DQF18SHK.js";export{t as load_css,r as start};
