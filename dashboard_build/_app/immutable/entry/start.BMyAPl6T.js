import{s as r}from"../chunks/Bx7mRL0P.js";import{A as t}from"../chunks/DyrPWXv8.js";export{t as load_css,r as start};
