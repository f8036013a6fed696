import{s as r}from"../chunks/CCFCD0Oo.js";import{A as t}from"../chunks/CKHg5QFC.js";export{t as load_css,r as start};
