import{s as r}from"../chunks/JMeL1fE8.js";import{B as t}from"../chunks/B_JRw2wp.js";export{t as load_css,r as start};
