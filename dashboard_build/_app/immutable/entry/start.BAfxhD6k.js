import{s as r}from"../chunks/CuY7aJZk.js";import{B as t}from"../chunks/KUq8TgBJ.js";export{t as load_css,r as start};
