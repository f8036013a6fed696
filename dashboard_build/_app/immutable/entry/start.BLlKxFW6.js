import{s as r}from"../chunks/CMRg6yeA.js";import{A as t}from"../chunks/ouTgVqIe.js";export{t as load_css,r as start};
