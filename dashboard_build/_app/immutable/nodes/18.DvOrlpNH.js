import{_ as m}from"../chunks/DDdAA0ML.js";export{m as component};
