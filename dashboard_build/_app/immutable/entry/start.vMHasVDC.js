import{s as r}from"../chunks/aaDf8Wnu.js";import{B as t}from"../chunks/BNnPC1gF.js";export{t as load_css,r as start};
