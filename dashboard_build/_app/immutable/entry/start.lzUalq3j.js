import{s as r}from"../chunks/DDl-e0Sd.js";import{A as t}from"../chunks/Fpv4fX0R.js";export{t as load_css,r as start};
