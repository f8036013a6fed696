import{s as r}from"../chunks/C0gIPaKz.js";import{A as t}from"../chunks/Be5IOsyT.js";export{t as load_css,r as start};
