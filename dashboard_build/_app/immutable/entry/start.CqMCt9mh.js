import{s as r}from"../chunks/BG3EgSAs.js";import{A as t}from"../chunks/DK7gJTHm.js";export{t as load_css,r as start};
