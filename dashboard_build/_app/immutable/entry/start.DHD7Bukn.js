import{s as r}from"../chunks/BdzmJAgF.js";import{A as t}from"../chunks/BlIVf2dN.js";export{t as load_css,r as start};
