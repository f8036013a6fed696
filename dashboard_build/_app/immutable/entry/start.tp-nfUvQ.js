import{s as r}from"../chunks/D13TT1aB.js";import{B as t}from"../chunks/tw_j4T7a.js";export{t as load_css,r as start};
