import{s as r}from"../chunks/DYu4AGBw.js";import{A as t}from"../chunks/MeT7ZGgy.js";export{t as load_css,r as start};
