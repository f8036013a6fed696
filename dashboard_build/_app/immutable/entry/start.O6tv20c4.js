import{s as r}from"../chunks/CQqVcYGT.js";import{B as t}from"../chunks/BhHY1l4y.js";export{t as load_css,r as start};
