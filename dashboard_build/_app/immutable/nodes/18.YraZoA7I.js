import{_ as m}from"../chunks/Ul6fOad8.js";export{m as component};
