import{s as r}from"../chunks/CYv_FkH-.js";import{B as t}from"../chunks/BAeP6_mo.js";export{t as load_css,r as start};
