import{s as r}from"../chunks/DiUV3J-m.js";import{B as t}from"../chunks/ClQCxMaM.js";export{t as load_css,r as start};
