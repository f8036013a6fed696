import{s as r}from"../chunks/X-1jWd56.js";import{B as t}from"../chunks/BQFSl15A.js";export{t as load_css,r as start};
