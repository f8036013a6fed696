import{s as r}from"../chunks/D0K9T6wN.js";import{B as t}from"../chunks/D2OeV9Me.js";export{t as load_css,r as start};
